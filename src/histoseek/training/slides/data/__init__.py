"""What a training of slide encoders learns from: bags of tiles, and what reports say."""
