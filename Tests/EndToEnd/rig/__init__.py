"""What the end-to-end tests are built from: processes, a witness upstream, clients, a proxy that cuts connections."""
