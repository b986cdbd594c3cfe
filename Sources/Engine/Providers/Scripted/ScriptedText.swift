/// The words of the scripted model. A token is a word with the white space before it.
enum ScriptedText {
    /// The default answer as tokens; about 200.
    static let answer: [String] = tokens(of: text)

    private static let text = """
        This text comes from the scripted model, so it says the same every time and no bill follows. What happens around \
        it is real. Before a word reaches you it is paid for: the server asks every budget on your path, your own, your \
        project's and your organisation's, for a small slice, and spends that slice one token at a time. When a budget \
        has nothing left to give, the stream stops in the middle of the sentence, and you are told which budget it was, \
        how much it allowed and when it opens again. The ledger then holds exactly the tokens that you have seen, not \
        one more and not one less.

        You may close this page while I talk. The run goes on, its words are kept in order, and when you come back you \
        get what you have missed, without a hole and without a repeat. You may also open it twice: both windows show \
        the same run.

        Try it with a cap of your own. Write a line that says @tokens 500 to make me talk longer, or @rate 10 to make \
        me slow down, and set a small budget beside it. Then watch which word is the last.
        """

    /// Splits before each white space; what is left joins to the same text.
    static func tokens(of text: String) -> [String] {
        var tokens: [String] = []
        var token = ""
        var hasWord = false
        for character in text {
            if character.isWhitespace, hasWord {
                tokens.append(token)
                token = ""
                hasWord = false
            }
            token.append(character)
            if !character.isWhitespace { hasWord = true }
        }
        if !token.isEmpty { tokens.append(token) }
        return tokens
    }

    /// How many tokens ``tokens(of:)`` would make of words; white space at the end counts with the last.
    static func count(_ text: String) -> Int {
        var count = 0
        var isInWord = false
        for character in text.unicodeScalars {
            let isSpace = character.properties.isWhitespace
            if !isSpace, !isInWord { count += 1 }
            isInWord = !isSpace
        }
        return count
    }
}
