internal import JSON

extension APIDocument {
    private static let edits = APISchema.list(
        .object([
            .need("name", .text(1, 64).describing("The tool that is meant; one that is not there is made.")),
            .need("tool", .anyObject.orNull.describing("The tool as it stands in the file; null takes it away.")),
        ]))
    private static let text = APISchema.string.orNull.describing("The whole file, as YAML.")
    private static let changes = APISchema.object([
        .need("made", .list(.string)), .need("changed", .list(.string)), .need("removed", .list(.string)),
    ])
    private static let published = APISchema.object([
        .need("version", .string), .need("previous_version", .string), .need("changed", .flag), .need("changes", changes),
    ])

    static let catalogOperations: [APIOperation] = [
        APIOperation(
            "GET", "/api/admin/tools", "policies", "The server's tools", access: .admin,
            answers: [
                .json(
                    "The tools. How they are made is told to operators alone.",
                    .object([
                        .need(
                            "data",
                            .list(
                                .object([
                                    .need("name", .string), .need("description", .string), .need("effect", .string),
                                    .need("parameters", .any), .need("timeout_ms", .integer), .need("cost_usd", .money),
                                    .may("disabled", .anyObject), .may("fault", .string),
                                    .may("source", .anyObject.describing("The tool as it stands in the file, secrets masked.")),
                                ]))),
                        .need("version", .string.orNull), .need("publish", .word(["file", "all", "off"])), .may("loaded_at", .instant),
                        .may("file", .string), .may("text", text), .may("builtins", .list(.string)), .may("variables", .list(.string)),
                        .may("failure", .anyObject.orNull),
                        .may("versions", .list(.object([.need("version", .string), .need("loaded_at", .instant)]))),
                    ]))
            ]),
        APIOperation(
            "GET", "/api/admin/tools/{name}", "policies", "A catalog that was in force before", access: .operator,
            parameters: [.path("name", .text(1, 128), "The version.")],
            answers: [
                .json("Its text.", .object([.need("version", .string), .need("text", .string)])),
                .refusal(404, "There is no such version."),
            ]),
        APIOperation(
            "POST", "/api/admin/tools/check", "policies", "What is to be said about a catalog of tools", access: .operator,
            body: .json(.object([.may("text", text), .may("edits", edits)]), example: ["text": "tools: []\n"]),
            answers: [
                .json(
                    "Findings, those about policies that would not fit among them, and the text as it would be.",
                    .object([
                        .need("ok", .flag), .need("version", .string.orNull), .need("base", .string), .need("text", .string.orNull),
                        .need("changes", changes), .need("findings", .list(.any)),
                    ])), .refusal(404, "The server has no catalog of tools."),
            ]),
        APIOperation(
            "PUT", "/api/admin/tools", "policies", "Publish a catalog of tools, or some tools of it", access: .operator,
            body: .json(
                .object([
                    .may("text", text), .may("edits", edits), .need("base", .text(1, 128).describing("The version that was changed.")),
                    .need("reason", .string),
                ])),
            answers: [
                .json("It is in force.", published), .refusal(404, "The server has no catalog of tools."),
                .refusal(409, "Another version is in force than `base`."),
                .refusal(
                    422, "The catalog cannot be in force: it does not load, may not be published from here, or policies do not fit it."),
            ]),
        APIOperation(
            "POST", "/api/admin/tools/rollback", "policies", "Publish a catalog that was in force before", access: .operator,
            body: .json(
                .object([.need("version", .text(1, 128)), .need("reason", .string), .may("base", .text(1, 128).orNull)])),
            answers: [
                .json("It is in force.", published), .refusal(404, "There is no such version, or the server has no catalog of tools."),
                .refusal(409, "Another version is in force than `base`."), .refusal(422, "The catalog cannot be in force."),
            ]),
    ]
}
