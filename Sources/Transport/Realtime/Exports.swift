// JSON values and metrics are in this module's interface: whoever imports it sees their types. A package that depends on the product
// imports nothing else for a whole server.
@_exported public import JSON
@_exported public import Telemetry
