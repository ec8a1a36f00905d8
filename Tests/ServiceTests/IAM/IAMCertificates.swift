// A self-signed certificate with its key, and another key, made for these tests.

extension IAMOperationTests {
  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBezCCASGgAwIBAgIUHzNqAQWqmGwQ6viLfqbpdBRorwcwCgYIKoZIzj0EAwIw
    EzERMA8GA1UEAwwId2ViLnRlc3QwHhcNMjYxMTIzMDQ0NjI3WhcNNDYwNjIxMDQ0
    NjI3WjATMREwDwYDVQQDDAh3ZWIudGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH
    A0IABCD+0ii+ODde7rp8J59wioZ5YND4TK8dtsLHDPDeRfHx2jFXB8xKDld1Tl3R
    bnC9L2Dc2HQVtWJtNext+Ia1QcujUzBRMB0GA1UdDgQWBBTfJVhKblTppIPk0AH+
    VyY/9DMKKzAfBgNVHSMEGDAWgBTfJVhKblTppIPk0AH+VyY/9DMKKzAPBgNVHRMB
    Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQDVt8bx3U5GVAwVgTxrYNcRBpm1
    sXB7J8nxmghI3tst/wIgS+zR/2go3APPm99ZXF43BA7AbOM4cAgg8UoHliX0wUw=
    -----END CERTIFICATE-----
    """

  static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgikWlPUTI2jXmLBQb
    DFstHzJKOUZ1QKqcJOx5FhJnG1GhRANCAAQg/tIovjg3Xu66fCefcIqGeWDQ+Eyv
    HbbCxwzw3kXx8doxVwfMSg5XdU5d0W5wvS9g3Nh0FbVibTXsbfiGtUHL
    -----END PRIVATE KEY-----
    """

  static let otherKey = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyTFIZrjrN4VeS2N/
    vhLVTOjP96n+rID0ZCHVIiOOls+hRANCAAShEIoW+Pq2wH1xZVSXtQTRL/wjAqlc
    Cfo9Gr4YdMvo0/ZylkudCWT3ThTxkQqWuetN59VZDFNbsxtUrG4Gy3my
    -----END PRIVATE KEY-----
    """
}
