import NIOHTTP1
import Testing

@testable import EngineProviders

@Suite("How long an upstream asks to be left alone")
struct RetryAfterTests {
    @Test(
        "milliseconds win over seconds; fractions are rounded up; what is no number is not read",
        arguments: [
            (["retry-after": "7"], .seconds(7)), (["Retry-After": "0"], .zero),
            (["retry-after-ms": "1500", "retry-after": "9"], .milliseconds(1_500)),
            (["retry-after": "1.2"], .seconds(2)), (["retry-after": "3.000"], .seconds(3)), (["retry-after": "-1"], nil),
            (["retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"], nil), (["retry-after": "99999999999999999999"], nil),
            (["retry-after": "1.x"], nil), ([:], nil),
        ] as [(HTTPHeaders, Duration?)])
    func reads(headers: HTTPHeaders, expected: Duration?) {
        #expect(RetryAfter.duration(headers) == expected)
    }
}
