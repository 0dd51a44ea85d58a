"""How slide encoders are judged on patients that they were not trained on."""
