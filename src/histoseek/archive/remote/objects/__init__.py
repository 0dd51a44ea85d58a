"""Archives in buckets of object storage, as S3 and its like have them."""
