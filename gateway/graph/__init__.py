"""The graph the gateway answers itself: any object by id, the lifecycle events, the systems behind it all."""
