"""How an archive's ranking is tuned: fitted, chosen and judged on patients held out."""
