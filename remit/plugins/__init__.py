"""Built-in plugins (http, metrics, …), one package each. They use the hooks and the façade as a third party would."""
