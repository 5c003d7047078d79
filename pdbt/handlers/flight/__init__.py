"""Arrow Flight: batches that come by gRPC, and a client that sends them."""
