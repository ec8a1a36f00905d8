// The server's side: is this signature right, now, for this request?

import AWSCore

extension SigV4 {
  /// What `x-amz-content-sha256` announces of the body.
  public enum BodyMode: Sendable, Hashable {
    /// The body as it is; its SHA-256 in hexadecimal must be this. Whoever reads the body checks that.
    case exact(String)
    /// The body as it is, unsigned.
    case unsigned
    /// A body in aws-chunked coding, for `ChunkedDecoder`.
    case chunked(StreamingMode)

    /// Reads the header's value (nil stands for no header).
    public init(contentSHA256 value: String?) throws(Failure) {
      guard let value, value != SigV4.unsignedPayload else {
        self = .unsigned
        return
      }
      if let mode = StreamingMode(rawValue: value) {
        self = .chunked(mode)
      } else if value.hasPrefix("STREAMING-AWS4-ECDSA-") {
        throw .asymmetric
      } else if value.utf8.count == 64, value.utf8.allSatisfy({ PercentEncoding.digit($0) != nil }) {
        self = .exact(value.lowercased())
      } else {
        throw .invalidPayloadHash(value)
      }
    }
  }

  /// A request whose signature is right.
  public struct Verified: Sendable {
    public var authorization: ParsedAuthorization
    /// How the body must be read; see `chunkedDecoder`.
    public var body: BodyMode
    fileprivate let key: SigningKey

    /// The decoder for an aws-chunked body; nil when the body is not that.
    /// - Parameter decodedLength: `x-amz-decoded-content-length`, when the request has it.
    public func chunkedDecoder(decodedLength: Int?) -> ChunkedDecoder? {
      guard case .chunked(let mode) = body else { return nil }
      let signing = ChunkSigning(key: key, timestamp: authorization.timestamp, seed: authorization.signature)
      return ChunkedDecoder(mode: mode, signing: mode.isSigned ? signing : nil, decodedLength: decodedLength)
    }
  }

  /// Verifies signatures. Make one and share it: it holds the derived keys.
  public struct Verifier: Sendable {
    /// How far clocks may differ, in seconds: five minutes, on S3 fifteen.
    public static func skewAllowance(_ style: ErrorStyle) -> Int { style == .s3 ? 900 : 300 }

    private let cache: SigningKeyCache

    public init(cache: SigningKeyCache = SigningKeyCache()) { self.cache = cache }

    /// Verifies one request. The session token, where there is one, is the caller's to compare with the key's.
    /// - Parameters:
    ///   - request: the raw head as received, with its `Host` header.
    ///   - authorization: what `ParsedAuthorization` read from it.
    ///   - secretAccessKey: the secret of `authorization.accessKeyID`.
    ///   - style: which family the service belongs to; decides the clock allowance and whether `x-amz-…` headers
    ///     must be signed.
    ///   - now: the server's time.
    ///   - payloadHash: the SHA-256 of the body received, in hexadecimal (`SigV4.payloadHash`). Not needed on S3, whose
    ///     requests state it; nil stands for an empty body.
    ///   - region: the region that the scope must name, nil for any.
    ///   - service: the signing name that the scope must name, nil for any.
    /// - Throws: `Failure`.
    public func verify(
      _ request: Request, _ authorization: ParsedAuthorization, secretAccessKey: String, style: ErrorStyle,
      now: Timestamp, payloadHash: String? = nil, region: String? = nil, service: String? = nil
    ) throws(Failure) -> Verified {
      try checkScope(authorization, region, service)
      try checkTime(authorization, style, now)
      try checkSignedHeaders(request, authorization, style)
      let body = try bodyMode(authorization, style, payloadHash)
      let key = cache.key(secretAccessKey: secretAccessKey, scope: authorization.scope)
      try checkSignature(request, authorization, key, body.hashes)
      return Verified(authorization: authorization, body: body.mode, key: key)
    }

    private func checkScope(_ a: ParsedAuthorization, _ region: String?, _ service: String?) throws(Failure) {
      if !a.timestamp.hasPrefix(a.scope.date) { throw .scopeDate(scope: a.scope.date, timestamp: a.timestamp) }
      if let service, a.scope.service != service { throw .wrongService(found: a.scope.service, expected: service) }
      if let region, a.scope.region != region { throw .wrongRegion(found: a.scope.region, expected: region) }
    }

    private func checkTime(_ a: ParsedAuthorization, _ style: ErrorStyle, _ now: Timestamp) throws(Failure) {
      let allowance = Self.skewAllowance(style)
      switch a.source {
      case .header:
        if abs(now.milliseconds - a.date.milliseconds) > Int64(allowance) * 1000 {
          throw .skewed(request: a.date, now: now, allowance: allowance)
        }
      case .query(let expires):
        if expires == nil, style == .s3 { throw .malformedQuery(ParsedAuthorization.incompleteQuery) }
        // Services other than S3 take presigned requests without a term for fifteen minutes.
        let seconds = expires ?? 900
        let end = a.date.adding(seconds: Double(seconds))
        if now > end { throw .expired(at: end, now: now, seconds: seconds) }
        if a.date > now.adding(seconds: Double(allowance)) { throw .notYetValid(from: a.date, now: now) }
      }
    }

    private func checkSignedHeaders(_ request: Request, _ a: ParsedAuthorization, _ style: ErrorStyle) throws(Failure) {
      guard a.signedHeaders.contains("host") || a.signedHeaders.contains(":authority") else {
        throw .unsignedHeaders(["host"])
      }
      guard style == .s3 else { return }
      let loose = request.headers.lazy.filter { SigV4.isAmazonHeader($0.name) }.map { $0.name.lowercased() }.filter {
        !a.signedHeaders.contains($0) && !(a.isPresigned && $0 == "x-amz-content-sha256")
      }
      if !loose.isEmpty { throw .unsignedHeaders(Array(loose)) }
    }

    private func bodyMode(
      _ a: ParsedAuthorization, _ style: ErrorStyle, _ computed: String?
    ) throws(Failure) -> (mode: BodyMode, hashes: [String]) {
      guard style == .s3 else {
        let hash = computed ?? SigV4.emptyPayloadHash
        let mayBeUnsigned = a.contentSHA256 == SigV4.unsignedPayload
        return (.exact(hash), mayBeUnsigned ? [hash, SigV4.unsignedPayload] : [hash])
      }
      if a.contentSHA256 == nil, !a.isPresigned { throw .missingPayloadHash }
      let mode = try BodyMode(contentSHA256: a.contentSHA256)
      if case .exact(let stated) = mode, let computed, stated != computed {
        throw .contentHashMismatch(client: stated, computed: computed)
      }
      guard let stated = a.contentSHA256 else { return (mode, [SigV4.unsignedPayload]) }
      // Some clients presign UNSIGNED-PAYLOAD and send the body's hash as a header all the same.
      return (mode, a.isPresigned ? [stated, SigV4.unsignedPayload] : [stated])
    }

    /// Tries AWS's spelling first, then the others; the error shows AWS's.
    private func checkSignature(
      _ request: Request, _ a: ParsedAuthorization, _ key: SigningKey, _ hashes: [String]
    ) throws(Failure) {
      let rules = Rules(service: a.scope.service)
      var tried: Set<String> = []
      var expected: (text: String, canonical: String)?
      for hash in hashes {
        for query in Spelling.Query.allCases {
          for path in Spelling.Path.allCases {
            let canonical = SigV4.canonicalRequest(
              request, rules: rules, signedHeaders: a.signedHeaders, payloadHash: hash,
              spelling: Spelling(path: path, query: query), presigned: a.isPresigned)
            if tried.contains(canonical) { continue }
            let text = SigV4.stringToSign(canonicalRequest: canonical, timestamp: a.timestamp, scope: a.scope)
            if SigV4.constantTimeEquals(key.signature(of: text), a.signature) { return }
            // Remembered only now: the first spelling is nearly always right, and hashing it would be for nothing.
            tried.insert(canonical)
            if expected == nil { expected = (text, canonical) }
          }
        }
      }
      throw .mismatch(
        accessKeyID: a.accessKeyID, provided: a.signature, stringToSign: expected?.text ?? "",
        canonicalRequest: expected?.canonical ?? "")
    }
  }
}
