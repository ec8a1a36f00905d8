// What can be wrong with a request's authentication, and how each family of services says it.

import AWSCore

extension SigV4 {
  /// The families of services, which name the same failure differently.
  public enum ErrorStyle: Sendable, Hashable {
    /// JSON and CBOR services (KMS, Secrets Manager, ECS, CloudWatch Logs…): status 400, codes end in `Exception`.
    case json
    /// The query protocol and Route 53: status 403, `SignatureDoesNotMatch`.
    case query
    /// EC2: `AuthFailure`.
    case ec2
    /// S3, with its further elements.
    case s3
  }

  /// Why a request is not authenticated. `awsError` makes of it what the service in question would answer.
  public enum Failure: Error, Sendable, Hashable {
    /// There is no signature at all.
    case missingAuthenticationToken
    /// Signature Version 4A, which is not built here.
    case asymmetric
    /// Another algorithm, such as Signature Version 2's.
    case unsupportedAlgorithm(String)
    /// The Authorization header lacks something or is not well formed.
    case malformedHeader(String)
    /// The X-Amz-… query parameters lack something or are not well formed.
    case malformedQuery(String)
    case missingDate
    /// The scope's day is not the timestamp's.
    case scopeDate(scope: String, timestamp: String)
    case wrongRegion(found: String, expected: String)
    case wrongService(found: String, expected: String)
    /// `host`, or on S3 some `x-amz-…` header, is not signed.
    case unsignedHeaders([String])
    case missingPayloadHash
    case invalidPayloadHash(String)
    /// The clocks differ by more than the allowance, in seconds.
    case skewed(request: Timestamp, now: Timestamp, allowance: Int)
    /// A presigned URL after its time.
    case expired(at: Timestamp, now: Timestamp, seconds: Int)
    case notYetValid(from: Timestamp, now: Timestamp)
    case mismatch(accessKeyID: String, provided: String, stringToSign: String, canonicalRequest: String)
    case unknownAccessKey(String)
    /// The session token is missing, not this key's, or not to be had with a long-term key.
    case invalidToken(String)
    /// The temporary credentials are past their time.
    case expiredToken(String)
    /// The body is not what `x-amz-content-sha256` said.
    case contentHashMismatch(client: String, computed: String)

    /// The error to answer with.
    public func awsError(_ style: ErrorStyle) -> AWSError {
      switch self {
      case .asymmetric: .notImplemented("Signature Version 4A (AWS4-ECDSA-P256-SHA256)")
      case .missingAuthenticationToken: Self.missing(style)
      case .unsupportedAlgorithm(let name): Self.algorithm(name, style)
      case .malformedHeader(let why): Self.incomplete(why, style, s3Code: "AuthorizationHeaderMalformed")
      case .malformedQuery(let why): Self.incomplete(why, style, s3Code: "AuthorizationQueryParametersError")
      case .missingDate: Self.dateMissing(style)
      case .scopeDate, .wrongRegion, .wrongService: scopeError(style)
      case .unsignedHeaders(let names): Self.unsigned(names, style)
      case .missingPayloadHash:
        AWSError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
      case .invalidPayloadHash(let value):
        AWSError(
          "InvalidArgument",
          "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
            + "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER "
            + "or a valid sha256 value.",
          fields: ["ArgumentName": "x-amz-content-sha256", "ArgumentValue": value])
      case .skewed, .expired, .notYetValid: timeError(style)
      case .mismatch: mismatchError(style)
      case .unknownAccessKey, .invalidToken, .expiredToken: credentialsError(style)
      case .contentHashMismatch(let client, let computed):
        AWSError(
          "XAmzContentSHA256Mismatch",
          "The provided 'x-amz-content-sha256' header does not match what was computed.",
          fields: ["ClientComputedContentSHA256": client, "S3ComputedContentSHA256": computed])
      }
    }
  }
}

// MARK: - One function per kind

extension SigV4.Failure {
  private typealias Style = SigV4.ErrorStyle

  private static func missing(_ style: Style) -> AWSError {
    switch style {
    case .json: AWSError("MissingAuthenticationTokenException", "Request is missing Authentication Token")
    case .query, .ec2: AWSError("MissingAuthenticationToken", "Request is missing Authentication Token", status: 403)
    case .s3: AWSError("AccessDenied", "Access Denied", status: 403)
    }
  }

  private static func algorithm(_ name: String, _ style: Style) -> AWSError {
    switch style {
    case .s3:
      AWSError(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
    default: incomplete("Unsupported AWS 'algorithm': '\(name)'.", style, s3Code: "")
    }
  }

  private static func incomplete(_ why: String, _ style: Style, s3Code: String) -> AWSError {
    switch style {
    case .json: AWSError("IncompleteSignatureException", why)
    case .query, .ec2: AWSError("IncompleteSignature", why)
    case .s3 where s3Code == "AuthorizationHeaderMalformed":
      AWSError(s3Code, "The authorization header is malformed; \(why)")
    case .s3: AWSError(s3Code, why)
    }
  }

  private static func dateMissing(_ style: Style) -> AWSError {
    if style == .s3 {
      return AWSError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", status: 403)
    }
    return incomplete(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.", style, s3Code: "")
  }

  /// The error of a signature that does not fit, with some message.
  private static func invalid(_ message: String, _ style: Style) -> AWSError {
    switch style {
    case .json: AWSError("InvalidSignatureException", message)
    case .query, .s3: AWSError("SignatureDoesNotMatch", message, status: 403)
    case .ec2:
      AWSError("AuthFailure", "AWS was not able to validate the provided access credentials", status: 401)
    }
  }

  private static func unsigned(_ names: [String], _ style: Style) -> AWSError {
    if style == .s3 {
      return AWSError(
        "AccessDenied", "There were headers present in the request which were not signed", status: 403,
        fields: ["HeadersNotSigned": names.joined(separator: ", ")])
    }
    return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", style)
  }

  private func scopeError(_ style: Style) -> AWSError {
    switch self {
    case .scopeDate(let scope, let timestamp):
      if style == .s3 {
        return AWSError(
          "AuthorizationHeaderMalformed",
          "The authorization header is malformed; Invalid credential date \"\(scope)\". This date is not the same as "
            + "X-Amz-Date: \"\(timestamp.prefix(8))\".")
      }
      return Self.invalid(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '\(scope)' != "
          + "'\(timestamp.prefix(8))', from '\(timestamp)'.", style)
    case .wrongRegion(let found, let expected):
      if style == .s3 {
        return AWSError(
          "AuthorizationHeaderMalformed",
          "The authorization header is malformed; the region '\(found)' is wrong; expecting '\(expected)'",
          fields: ["Region": expected])
      }
      return Self.invalid("Credential should be scoped to a valid region.", style)
    case .wrongService(let found, let expected):
      if style == .s3 {
        return AWSError(
          "AuthorizationHeaderMalformed",
          "The authorization header is malformed; incorrect service \"\(found)\". This endpoint belongs to "
            + "\"\(expected)\".")
      }
      return Self.invalid("Credential should be scoped to correct service: '\(expected)'.", style)
    default: return Self.invalid("", style)
    }
  }

  private func timeError(_ style: Style) -> AWSError {
    switch (self, style) {
    case (.skewed(let request, let now, let allowance), .s3):
      AWSError(
        "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.",
        status: 403,
        fields: [
          "RequestTime": request.basic, "ServerTime": now.iso8601,
          "MaxAllowedSkewMilliseconds": String(allowance * 1000),
        ])
    case (.expired(let at, let now, let seconds), .s3):
      AWSError(
        "AccessDenied", "Request has expired", status: 403,
        fields: ["X-Amz-Expires": String(seconds), "Expires": at.iso8601, "ServerTime": now.iso8601])
    case (.notYetValid(let from, let now), .s3):
      AWSError(
        "AccessDenied", "Request is not valid yet", status: 403,
        fields: ["X-Amz-Date": from.basic, "ServerTime": now.iso8601])
    case (_, .ec2): AWSError("RequestExpired", "Request has expired.")
    case (.skewed(let request, let now, let allowance), _) where request < now:
      Self.invalid(
        "Signature expired: \(request.basic) is now earlier than "
          + "\(now.adding(seconds: -Double(allowance)).basic) (\(now.basic) - \(allowance / 60) min.)", style)
    case (.skewed(let request, let now, let allowance), _):
      Self.invalid(
        "Signature not yet current: \(request.basic) is still later than "
          + "\(now.adding(seconds: Double(allowance)).basic) (\(now.basic) + \(allowance / 60) min.)", style)
    case (.expired(let at, let now, _), _):
      Self.invalid("Signature expired: \(at.basic) is now earlier than \(now.basic)", style)
    case (.notYetValid(let from, let now), _):
      Self.invalid("Signature not yet current: \(from.basic) is still later than \(now.basic)", style)
    default: Self.invalid("", style)
    }
  }

  private func mismatchError(_ style: Style) -> AWSError {
    guard case .mismatch(let accessKeyID, let provided, let stringToSign, let canonicalRequest) = self else {
      return Self.invalid("", style)
    }
    guard style == .s3 else {
      return Self.invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
          + "Key and signing method. Consult the service documentation for details.", style)
    }
    func digits(_ text: String) -> String {
      text.utf8.map { SigV4.hex([$0]) }.joined(separator: " ")
    }
    return AWSError(
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing "
        + "method.", status: 403,
      fields: [
        "AWSAccessKeyId": accessKeyID, "SignatureProvided": provided, "StringToSign": stringToSign,
        "StringToSignBytes": digits(stringToSign), "CanonicalRequest": canonicalRequest,
        "CanonicalRequestBytes": digits(canonicalRequest),
      ])
  }

  private func credentialsError(_ style: Style) -> AWSError {
    let invalidText = "The security token included in the request is invalid."
    let expiredText = "The security token included in the request is expired"
    switch (self, style) {
    case (.unknownAccessKey(let id), .s3):
      return AWSError(
        "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", status: 403,
        fields: ["AWSAccessKeyId": id])
    case (.invalidToken(let token), .s3):
      return AWSError(
        "InvalidToken", "The provided token is malformed or otherwise invalid.", fields: ["Token-0": token])
    case (.expiredToken(let token), .s3):
      return AWSError("ExpiredToken", "The provided token has expired.", fields: ["Token-0": token])
    case (.expiredToken, .json): return AWSError("ExpiredTokenException", expiredText)
    case (.expiredToken, .query): return AWSError("ExpiredToken", expiredText, status: 403)
    case (.expiredToken, .ec2): return AWSError("RequestExpired", "Request has expired.")
    case (_, .json): return AWSError("UnrecognizedClientException", invalidText)
    case (_, .query): return AWSError("InvalidClientTokenId", invalidText, status: 403)
    case (_, .ec2): return Self.invalid("", .ec2)
    default: return Self.invalid("", style)
    }
  }
}
