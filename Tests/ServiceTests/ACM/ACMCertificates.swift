// A self-signed certificate with its key, and another key, made for these tests.

enum ACMCertificates {
  static let certificate = """
    -----BEGIN CERTIFICATE-----
    MIIBsDCCAVagAwIBAgICEjQwCgYIKoZIzj0EAwIwIzESMBAGA1UEAwwJc2hvcC50
    ZXN0MQ0wCwYDVQQKDARTaG9wMCAXDTI2MTEyMzA1NDQwMVoYDzIwODEwODI2MDU0
    NDAxWjAjMRIwEAYDVQQDDAlzaG9wLnRlc3QxDTALBgNVBAoMBFNob3AwWTATBgcq
    hkjOPQIBBggqhkjOPQMBBwNCAARU3PLpZiBlbgPGhFBK3WHJNDpr3gpDP1QSAfKp
    xqITsYNoN5Z6W6+ea/CO1/0dARrtCF/GJTbp0GBPbiy3cYT/o3gwdjAdBgNVHQ4E
    FgQUsNvlpdHY3LYHiQFUdfTEzqnaxfkwHwYDVR0jBBgwFoAUsNvlpdHY3LYHiQFU
    dfTEzqnaxfkwDwYDVR0TAQH/BAUwAwEB/zAjBgNVHREEHDAagg13d3cuc2hvcC50
    ZXN0gglzaG9wLnRlc3QwCgYIKoZIzj0EAwIDSAAwRQIgL/OFCdwligSZ1usvuDxn
    sJQ6UwimbOpPngu7XKlH9DICIQDYiepjtclh+ljHcuRFI7/Zl+XtOXEBzvWCX3hj
    EMd1SA==
    -----END CERTIFICATE-----
    """

  static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBNPwF154kf3rnz7L
    omJLVt+eRkHLtDp4DR5SFXfFmfehRANCAARU3PLpZiBlbgPGhFBK3WHJNDpr3gpD
    P1QSAfKpxqITsYNoN5Z6W6+ea/CO1/0dARrtCF/GJTbp0GBPbiy3cYT/
    -----END PRIVATE KEY-----
    """

  static let otherKey = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgT3jYHns6lYJ10gD7
    CTRUbxQ7sJPz4M90IEQg+v+CBjChRANCAAQiFGa4ON1+gFWc+dV126jG6Gl6FzUP
    RnlNbQr6xwF/K6kXabxKOUzcbowhMda6BCCmpW+sZnKA4u59OMX0nySs
    -----END PRIVATE KEY-----
    """
}
