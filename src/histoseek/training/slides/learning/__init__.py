"""What a training of slide encoders changes, and one step of it over one or several processes."""
