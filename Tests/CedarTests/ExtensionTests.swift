internal import Testing

@testable internal import Cedar

@Suite("Extension types")
struct ExtensionTests {
    static let table: [(String, Fixture.Outcome)] = [
        // decimal
        (#"decimal("1.0") == decimal("1.00") && decimal("-0.0") == decimal("0.0") && decimal("007.5") == decimal("7.5000")"#, .yes),
        (#"decimal("-922337203685477.5808") == decimal("-922337203685477.5808")"#, .yes),
        (#"decimal("1.2").lessThan(decimal("1.21")) && decimal("1.2").lessThanOrEqual(decimal("1.20"))"#, .yes),
        (#"decimal("-1.2").greaterThan(decimal("-1.3")) && decimal("1.2").greaterThanOrEqual(decimal("1.2"))"#, .yes),
        (#"decimal("1.2").lessThan(1)"#, .error), (#"1 .lessThan(decimal("1.2"))"#, .error), (#"decimal("1.2").lessThan()"#, .error),
        ("decimal(1) == 1", .error), (#"decimal("1.0", "2.0") == 1"#, .error), ("decimal() == 1", .error),
        (#"decimal(if true then "1.0" else "x") == decimal("1.0")"#, .yes), (#"decimal("1.0") + decimal("1.0") == 1"#, .error),
        // ipaddr
        (#"ip("1.2.3.4") == ip("1.2.3.4/32") && ip("::1") == ip("0:0:0:0:0:0:0:1/128") && ip("::AB") == ip("::ab")"#, .yes),
        (#"ip("10.0.0.0/8") == ip("10.0.0.1/8")"#, .no), (#"ip("::ffff:1.2.3.4").isIpv6()"#, .error), (#"ip("::1") == ip("0.0.0.1")"#, .no),
        (#"ip("1.2.3.4").isInRange(ip("1.2.3.4"),ip("1.1.1.1"))"#, .error), (#"ip("1.2.3.4").isInRange()"#, .error),
        (
            #"ip("10.1.0.0/16").isInRange(ip("10.9.9.9/8")) && ip("1.2.3.4").isInRange(ip("0.0.0.0/0")) && ip("::1").isInRange(ip("::/0"))"#,
            .yes
        ),
        (
            #"ip("10.0.0.0/8").isInRange(ip("10.0.0.0/9")) || ip("::1").isInRange(ip("0.0.0.0/0")) || ip("11.0.0.0/8").isInRange(ip("10.0.0.0/8"))"#,
            .no
        ),
        (#"ip("127.9.9.9").isLoopback() && ip("127.0.0.0/8").isLoopback() && ip("::1").isLoopback()"#, .yes),
        (#"ip("127.0.0.0/7").isLoopback() || ip("::1/127").isLoopback() || ip("::ffff:7f00:1").isLoopback()"#, .no),
        (#"ip("224.0.0.0/4").isMulticast() && ip("239.1.1.1").isMulticast() && ip("ff00::/8").isMulticast()"#, .yes),
        (#"ip("224.0.0.0/3").isMulticast() || ip("ff00::/7").isMulticast() || ip("223.1.1.1").isMulticast()"#, .no),
        (#"ip("1.1.1.1").isIpv4() && !ip("1.1.1.1").isIpv6() && ip("::").isIpv6() && !ip("::").isIpv4()"#, .yes),
        (#"ip("1.1.1.1").isIpv4(1)"#, .error), (#""1.1.1.1".isIpv4()"#, .error),
        // datetime
        (
            #"datetime("1970-01-01").toTime() == duration("0ms") && datetime("1970-01-02") == datetime("1970-01-01").offset(duration("1d"))"#,
            .yes
        ),
        (#"datetime("2024-01-01T00:00:00+2400") == datetime("2024-01-01")"#, .error),
        (#"datetime("1969-12-31T23:59:59Z").toTime() == duration("86399s")"#, .yes),
        (#"datetime("2024-02-29T12:30:15.250+0130") == datetime("2024-02-29T11:00:15.250Z")"#, .yes),
        (#"datetime("2024-02-29T12:30:15.250-0130") == datetime("2024-02-29T14:00:15.250Z")"#, .yes),
        (#"datetime("0000-01-01").durationSince(datetime("1970-01-01")).toDays() == -719528"#, .yes),
        (#"datetime("9999-12-31T23:59:59.999Z").durationSince(datetime("1970-01-01")).toMilliseconds() == 253402300799999"#, .yes),
        (#"datetime("2000-03-01").durationSince(datetime("2000-02-28")).toDays() == 2"#, .yes),
        (#"datetime("1969-12-31T23:59:59Z").toDate() == datetime("1969-12-31")"#, .yes),
        (#"datetime("2024-01-01") < datetime("2024-01-02") && datetime("2024-01-02") >= datetime("2024-01-02")"#, .yes),
        (#"datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate() == 1"#, .error),
        (#"datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toTime() == duration("60424192ms")"#, .yes),
        (#"datetime("2024-01-01").offset(duration("9223372036854775807ms")) == 1"#, .error),
        (#"datetime("2024-01-01").durationSince(datetime("1970-01-01").offset(duration("-9223372036854775807ms"))) == 1"#, .error),
        (#"datetime("2024-01-01").offset(1) == 1"#, .error), (#"datetime("2024-01-01").toDate(1) == 1"#, .error),
        // duration
        (
            #"duration("1d2h3m4s5ms").toMilliseconds() == 93784005 && duration("-1h") < duration("0s") && duration("01s") == duration("1000ms")"#,
            .yes
        ),
        (#"duration("-90s").toMinutes() == -1 && duration("90s").toMinutes() == 1 && duration("-1ms").toSeconds() == 0"#, .yes),
        (#"duration("36h").toDays() == 1 && duration("90m").toHours() == 1"#, .yes),
        (#"duration("-9223372036854775808ms").toDays() == -106751991167"#, .yes),
        (#"duration("-106751991167d7h12m55s808ms").toMilliseconds() == -9223372036854775808"#, .yes),
    ]

    @Test("extension values behave as the language says", arguments: table)
    func evaluates(_ expression: String, _ outcome: Fixture.Outcome) throws {
        #expect(try Fixture.outcome(expression) == outcome)
    }

    @Test(
        "texts that are no decimal",
        arguments: [
            "", "1", "1.", ".1", "1.00000", "+1.0", "1e2", "1.0 ", " 1.0", "-", "--1.0", "1.-1", "\u{661}.0", "922337203685477.5808",
            "-922337203685477.5809", "99999999999999999999.0", "1.0.0", "1,0",
        ])
    func decimals(_ text: String) {
        #expect(throws: ExtensionError.self) { try Value.Decimal(ExactString(text)) }
    }

    @Test(
        "texts that are no address",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.1.1.1", "1.1.1.1/33", "1.1.1.1/", "1.1.1.1/08", "1.1.1.1/+8", "1.1.1.1/8/8",
            "1.1.1.1/032",
            " 1.1.1.1", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "1::2::3", "::12345", "::g", "::1%eth0",
            "[::1]",
            "::1.2.3.4", "::/129", "::/0128", "::/-1", ":1::2", "1::2:", "::1/12x", "0000:0000:0000:0000:0000:0000:0000:00001/128",
            "\u{661}.1.1.1", "/8", "::+1",
        ])
    func addresses(_ text: String) {
        #expect(throws: ExtensionError.self) { try Value.IPAddress(ExactString(text)) }
    }

    @Test(
        "texts that are addresses", arguments: ["0.0.0.0/0", "1:2:3:4:5:6:7::", "::", "::2:3:4:5:6:7:8", "ABCD:ef01::", "1::8/64", "::/0"])
    func goodAddresses(_ text: String) throws {
        let address = try Value.IPAddress(ExactString(text))
        #expect(try Value.IPAddress(ExactString(address.text)) == address)
    }

    @Test(
        "texts that are no datetime",
        arguments: [
            "", "2024", "2024-1-1", "2024-13-01", "2024-00-01", "2024-02-30", "2023-02-29", "1900-02-29", "2024-01-00", "2024-01-01Z",
            "2024-01-01T00:00:00", "2024-01-01T00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z",
            "2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00.1234Z",
            "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00+0060", "2024-01-01T00:00:00+000", " 2024-01-01",
            "2024-01-01 ", "12024-01-01", "-024-01-01", "2024-01-01T00:00:00ZZ", "\u{662}024-01-01",
        ])
    func datetimes(_ text: String) {
        #expect(throws: ExtensionError.self) { try Value.Datetime(ExactString(text)) }
    }

    @Test(
        "texts that are no duration",
        arguments: [
            "", "-", "1", "d", "+1d", "1 d", "1.5d", "1h1d", "1d1d", "1d-1h", "--1d", "1D", "1d ", "1ms1s", "9223372036854775808ms",
            "-9223372036854775809ms", "106751991168d", "99999999999999999999ms", "\u{661}d", "1day",
        ])
    func durations(_ text: String) {
        #expect(throws: ExtensionError.self) { try Value.Duration(ExactString(text)) }
    }

    @Test("a decimal writes itself as it is read", arguments: ["0.0", "-0.5", "12.3456", "-922337203685477.5808", "7.01"])
    func decimalText(_ text: String) throws {
        #expect(try Value.Decimal(ExactString(text)).text == text)
    }
}
