/// Keys and tokens that others made: RFC 7515 appendix A, and PyJWT 2.15.1 with claims that hold from 1800000000 to 1800003600.
enum Fixtures {
    /// RFC 7515 A.1
    static let hmacToken =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL"
        + "mNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    /// Its `k`.
    static let hmacKey =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    /// RFC 7515 A.2
    static let rsaToken =
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
        + "nVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"
        + "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6"
        + "_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        + "cN_IoypGlUPQGe77Rw"
    /// Its `n`; `e` is AQAB.
    static let rsaModulus =
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-"
        + "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca"
        + "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5"
        + "4h4FRWyuXpoQ"
    /// RFC 7515 A.3
    static let curveToken =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0c"
        + "nVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    /// Its `x`.
    static let curveX =
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
    /// Its `y`.
    static let curveY =
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

    /// An RSA key of 2,048 bits; `e` is AQAB.
    static let modulus =
        "uwGrk1O9UfSQB0TQyCZBr3kGPDhiiw--uepScAsKQ6jhzwySEaL32cLQoyytvmPeI6DufDE_IY3DXM4xkNRVVHLC0ZNRlnUFVuLC741Q41Mywq"
        + "apHdbjHY_iW5y6-aKKuuTp4TY4F6Y00PbesCDjKdu80ZUgfyWjdEDGMN_YdDr-K7dApckC48XNgcOuTLdMIaXgrtuCsDYttt2De1Xn76dNtP8E"
        + "l7Wqy11k2fb0OjDQ7CYkMKwrUAOzxN5kUgfPHYJeB2sVQZOa9RgF-_sbaw2tjYOsKgbTZhrCUJUBToNOAjFHX56ll_sZvxlOJJBX0t0CokZeKP"
        + "QWyAF73ve19w"
    /// One of 1,024 bits.
    static let shortModulus =
        "n7NAcRwNEh8cPvYcXd81V-2Ar9y0N3vA_VFfjN1Tlc8aZ3xulp_cdTtd5lYqQeJG-RYooACtYYR_GxdRWMlf3XQNbVPE0XXAY8yD1SdAnGA8I_"
        + "KFwkHYpb5cLVsD9vEGpb2xkEb6UZ5KOdnEeYSBxjcCcpnwfpbqzepbB1s9SGc"
    /// A point of P-256.
    static let x =
        "0GMlWQsZx2KgsmDOVX-4GeNIq-fqVFbjkP2EWWtvRAU"
    /// Its other half.
    static let y =
        "lzxmD4OudmyMguXoL6AWLJ840qXafUkG_VNty6mTfqc"
    /// The RSA key as a certificate authority would hand it out.
    static let pem = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuwGrk1O9UfSQB0TQyCZB
        r3kGPDhiiw++uepScAsKQ6jhzwySEaL32cLQoyytvmPeI6DufDE/IY3DXM4xkNRV
        VHLC0ZNRlnUFVuLC741Q41MywqapHdbjHY/iW5y6+aKKuuTp4TY4F6Y00PbesCDj
        Kdu80ZUgfyWjdEDGMN/YdDr+K7dApckC48XNgcOuTLdMIaXgrtuCsDYttt2De1Xn
        76dNtP8El7Wqy11k2fb0OjDQ7CYkMKwrUAOzxN5kUgfPHYJeB2sVQZOa9RgF+/sb
        aw2tjYOsKgbTZhrCUJUBToNOAjFHX56ll/sZvxlOJJBX0t0CokZeKPQWyAF73ve1
        9wIDAQAB
        -----END PUBLIC KEY-----

        """
    static let secret = "a shared secret of forty-odd bytes, no fewer"

    /// RS256 with kid `rsa-1`: iss, aud as an array, sub, org, project, roles as an array.
    static let rs256 =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjpbIm"
        + "tkY3ViZSIsIm90aGVyIl0sInN1YiI6ImFkYSIsIm9yZyI6ImFjbWUiLCJwcm9qZWN0Ijoid2ViIiwicm9sZXMiOlsiYWRtaW4iLCJzdXBwb3J0"
        + "Il0sImlhdCI6MTgwMDAwMDAwMCwibmJmIjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDB9.udhFfkTIjuvlwBILdNd7Vt1PdEfsn1N-3aie4"
        + "-ijG9jgNZrdLmVPnzSSOuBIsIPBDhty8Y-gRozC9k8jvCn17iWbg9cFBDh9L23s-kjV2CLodSJ3UR9CzSZvLbfrACoCAhm4AhrA2DQpeAOIdQY"
        + "rZ7VFEBg1Dz_NvjYZ2fl1YDjmHbySJxuC-aTuo0Dtuwve2meIXDeJoiFn7soguJLpfu-zWwN0f-NDa74VBvehlRHwrHRg-9zgp8nR4Vhe0ilMT"
        + "qIGrKMPbdExjqJJHfo2srZPlMSaE9RpAi4D13585zXYCneIGIG0pOoMg2BzJ-mmJGt3q6Ltf9YDVEXsNuO-PQ"
    /// ES256 with kid `ec-1`: aud as text, roles as text, identity.
    static let es256 =
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjoia2R"
        + "jdWJlIiwic3ViIjoiYWRhIiwib3JnIjoiYWNtZSIsInByb2plY3QiOiJ3ZWIiLCJyb2xlcyI6ImFkbWluIHN1cHBvcnQiLCJpYXQiOjE4MDAwM"
        + "DAwMDAsIm5iZiI6MTgwMDAwMDAwMCwiZXhwIjoxODAwMDAzNjAwLCJpZGVudGl0eSI6InBlcnNvbjphZGEifQ.-EstlF1DEjAJOrhvrYf75cMz"
        + "esJFf9d9qUamOOnXbGLrUW4uUa_1sNTFDAj1cr7Akb_oFpsJyFjRH2hwlp5vAw"
    /// HS256 with `secret`, without kid and roles.
    static let hs256 =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjpbImtkY3ViZSIsIm90aGVyI"
        + "l0sInN1YiI6ImFkYSIsIm9yZyI6ImFjbWUiLCJwcm9qZWN0Ijoid2ViIiwiaWF0IjoxODAwMDAwMDAwLCJuYmYiOjE4MDAwMDAwMDAsImV4cCI"
        + "6MTgwMDAwMzYwMH0.XZBaafpPFUYToPNh_ETzCouFFY2eyy_bHtuzwq9vHsM"
    /// PS256 with the RSA key, which is another padding.
    static let ps256 =
        "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYS0xIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjpbIm"
        + "tkY3ViZSIsIm90aGVyIl0sInN1YiI6ImFkYSIsIm9yZyI6ImFjbWUiLCJwcm9qZWN0Ijoid2ViIiwicm9sZXMiOlsiYWRtaW4iLCJzdXBwb3J0"
        + "Il0sImlhdCI6MTgwMDAwMDAwMCwibmJmIjoxODAwMDAwMDAwLCJleHAiOjE4MDAwMDM2MDB9.TaZPc5I09r6VhwAxcPOncN9YcUkC_9TkVsu0s"
        + "6HDNFWLli-328pCPOiOXLNWnS9Pl-nQpdj7mvpNbukgRa50EKRSPUIYbkP8XeHkN2reiQ1MiGzC3SuqEzWwSsLSRNFgL8-Quj35Xenzwm8xUFB"
        + "Do9ng5jffFil_Jc1IZRyRwjMqza8x03PIJn2zsy9sZZy3GLphwftmTYHkyTzIHHn3wLew-fxZBAzRMDgBTSBPNgLBGqtr_iMfB8NTulyWsxZuf"
        + "1Hxa2wb_pTxvAwne-ky5bvNu7l9dBxnbuX_vhMinS5_Nc-rnFj9DivWd5BrS-86l-MXIgIkdeR3SIkRRY-PNA"
}
