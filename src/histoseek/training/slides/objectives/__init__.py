"""What each family of slide encoders is trained for beside the contrast of slides and reports."""
