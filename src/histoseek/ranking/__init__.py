"""What an archive's ranking is made of beyond distances: a learned metric, a graph of neighbours, what is not known."""
