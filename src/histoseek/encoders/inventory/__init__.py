"""What can encode tiles, texts and slides here and now, whether it does so rightly, and cards of the user's own."""
