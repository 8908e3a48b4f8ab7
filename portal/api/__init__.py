"""The REST API, `/api/v1`: what programs may do, and its document.

An operation is a row (`operations.Operation`): method, path, scope, what it takes and gives as msgspec Structs. `views` makes the routes of the rows, `openapi` the OpenAPI document, and
the page `/api/v1` shows them; so none says anything else than the others. `caller` finds out which key asks, and holds its scopes and its rate; `taking` reads what came.
One module a resource: `accounts`, `messages`, `gateway` (connectors and queues), `tables` (routes and prices), `customers`, `reports`; `whose` rows a key sees.

No cookie is looked at here, which is why no form's token is asked for. A customer's key sees that customer's rows, and no costs, operators or connectors.
"""
