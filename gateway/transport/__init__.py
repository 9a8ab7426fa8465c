"""The door: HTTP, WebSocket, server-sent events and multipart in, GraphQL requests on, and the answers back."""
