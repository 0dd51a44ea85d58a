"""Two slide encoders as one: both vectors of a slide side by side, and the mosaics of both."""
