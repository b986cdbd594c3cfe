internal import Accounting
internal import Logging

extension PublishedDocument {
    static let policies = PublishedDocument(
        name: "policies", versionPrefix: "",
        loads: ("kdcube_policy_loads_total", "Readings of changed policies, by what came of them"),
        versionNotKept: "a version of policies cannot be kept",
        words: Words(
            absent: ("directory of policies", "the server has no directory of policies"), version: "version of policies of that name",
            operatorsOnly: "The policies are the server's: publishing them needs a key with the role operator.",
            isOff: "Policies are not published over HTTP here (policies.publish: off): change the files of the directory.",
            changed: "The directory has new content that is in force in a moment: look at it, and publish again.",
            refused: ("policies_refused", "This set cannot be in force", "files"), busy: "Another set is being published. Try again.",
            notWritable: ("directory_not_writable", "The directory of policies cannot be changed from here")))

    static let tools = PublishedDocument(
        name: "tools", versionPrefix: PolicyVersionKind.toolsPrefix,
        loads: ("kdcube_tool_loads_total", "Readings of a changed catalog of tools, by what came of them"),
        versionNotKept: "a version of the tools cannot be kept",
        words: Words(
            absent: ("catalog of tools (tools.file)", "the server has no catalog of tools (tools.file)"),
            version: "version of the tools of that name",
            operatorsOnly: "The tools are the server's: making and changing them needs a key with the role operator.",
            isOff: "Tools are not published over HTTP here (tools.publish: off): change the file.",
            changed: "The file has new content: it is in force in a moment, or the page of the tools says why not. Publish again then.",
            refused: ("tools_refused", "These tools cannot be in force", nil), busy: "Another catalog is being published. Try again.",
            notWritable: ("file_not_writable", "The file of the tools cannot be changed from here")))
}
