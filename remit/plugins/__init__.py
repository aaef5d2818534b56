"""Built-in plugins (http, dashboard, mcp, …) live here, one module or package each. There are none yet."""
