"""What the gateway says about itself: correlation ids and structured log lines."""
