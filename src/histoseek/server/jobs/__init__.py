"""Long work: slides are indexed, uploads encoded; told in the state, so that every worker process can answer."""
