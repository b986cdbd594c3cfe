internal import Yams
internal import ArgumentParser
@main enum Main { static func main() {} }
