"""What `benchmarks.pairs` compares: sound pairs, ports as people make them, and mistakes planted in the examples."""
