/// Which past turns go along with a new message.
enum PastTurns {
    /// The newest turns that fit into `bytesMax`, oldest first. Turns without an answer are left out: a model would
    /// take two user messages in a row for one.
    static func fitting(_ turns: [ConversationTurn], bytesMax: Int) -> [ConversationTurn] {
        var fitting: [ConversationTurn] = []
        var bytes = 0
        for turn in turns.reversed() where !turn.answer.isEmpty {
            bytes += turn.userText.utf8.count + turn.answer.utf8.count
            guard bytes <= bytesMax else { break }
            fitting.append(turn)
        }
        return fitting.reversed()
    }
}
