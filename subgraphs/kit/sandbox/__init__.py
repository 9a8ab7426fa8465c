"""What the vendor sandboxes share: settings, state kept over restarts, faults on request, signed webhooks, a process."""
