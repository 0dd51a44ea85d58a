"""Archives on a Milvus server: how it is reached, and the files beside the rows."""
