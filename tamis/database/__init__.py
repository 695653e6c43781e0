"""The tables of the durable store, and the code that reads and writes them."""
