"""Search: candidates, exact ranking, results and their page."""
