// The server, and the address of a Redis, are in this module's interface: whoever imports it sees their types.
@_exported public import RedisClient
@_exported public import Transport
