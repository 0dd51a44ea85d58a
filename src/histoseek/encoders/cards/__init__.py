"""Cards: what is known of published models, as data, with where each fact comes from."""
