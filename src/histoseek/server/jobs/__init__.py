"""Long work: slides are indexed, uploads encoded; progress is kept in the state, for all worker processes."""
