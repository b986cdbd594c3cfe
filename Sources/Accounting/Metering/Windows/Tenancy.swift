// Names of organisations are in this module's interface: whoever imports it sees their type.
@_exported public import Tenancy
