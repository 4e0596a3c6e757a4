"""Owns what is served over HTTP: MCP, the WebSocket, health, metrics, webhooks, administration."""
