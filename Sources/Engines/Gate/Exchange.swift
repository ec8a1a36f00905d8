// One request and its answer, apart from the connections they travel on: an HTTP/1.1 client connection has one and uses
// it again for each request, an HTTP/2 client connection has one for each stream.
import CLinux
import GateProtocol
import Glibc
import HTTPWire

/// What lies between a client and a target. The parts that depend on the client's protocol are overridden.
///
/// Between the two sides a head is always the bytes of an HTTP/1.1 head: whoever speaks something else translates at
/// its own edge, so rules, checks and header lines exist once.
class Exchange {
  /// What is remembered of the request in progress.
  struct Request {
    var isHEAD = false
    /// HTTP/1.1 clients: the connection goes on after this answer.
    var keepsAlive = true
    /// An HTTP/1.0 client: it knows no interim answers.
    var isOldVersion = false
    /// The client's protocol has chunks, so a chunked body passes as it is.
    var takesChunks = true
    /// Sending it twice is harmless (RFC 9110, section 9.2.2).
    var isIdempotent = false
    var wantsUpgrade = false
    /// All of it that was read is still in `outgoing`, so that it can be sent to another target.
    var isReplayable = true
    /// Part of the answer has gone to the client.
    var hasAnswered = false
    var attempts = 0
    /// What the client is answered; 0 before it is known.
    var status = 0
    /// Another server might read it differently: neither connection is used again.
    var isAmbiguous = false
    /// What clients say of the user's identity is dropped: only the load balancer may.
    var dropsIdentity = false
    var body = BodyReader(.none)
  }

  static let attemptsMax = 3

  // The loop outlives everything in it.
  unowned(unsafe) final let loop: EventLoop
  final var listener: ListenerRuntime
  /// The client's address.
  final var source: UInt32
  /// The client's TLS, for the header lines about it; nil for plain text.
  final var tls: TLSSession?
  final var request = Request()
  /// The request as the target gets it, kept until the target answers.
  final var outgoing = Bytes()
  /// Where the target works on it.
  final var upstream: (any TargetLink)?
  final var group: TargetPool?
  /// The target that works on it, or the last that was tried.
  final var target: TargetRuntime?
  /// The target that a cookie asks for.
  final var wantedTarget: TargetRuntime?
  /// Cookies that the answer sets; nil for none.
  final var sticky: StickyChoice?
  /// The node of the load balancer that counts it.
  final var node: NodeRuntime
  /// What the access log will say; nil while there is none.
  final var record: RequestRecord?
  /// The request waits for so much of its body as its web ACL looks at.
  final var hold: BodyHold?
  /// Header lines that the web ACL puts into the request.
  final var insertedLines: [UInt8] = []

  init(loop: EventLoop, listener: ListenerRuntime, source: UInt32, node: NodeRuntime) {
    self.loop = loop
    self.listener = listener
    self.source = source
    self.node = node
  }

  final var balancer: LoadBalancerRuntime { listener.loadBalancer }

  /// Forgets the last request.
  @inline(__always)
  final func reset() {
    request = Request()
    if sticky != nil { sticky = nil }
    if wantedTarget != nil { wantedTarget = nil }
    if !identityLines.isEmpty { identityLines = [] }
    if !sessionLines.isEmpty { sessionLines = [] }
    if staleSession != nil { staleSession = nil }
  }

  /// What a provider's word is awaited for, by which number the loop knows that, and since when (microseconds).
  final var signInWait: (id: UInt64, wait: SignInWait, began: UInt64)?
  /// The user's session must be refreshed before the request goes to its target.
  final var staleSession: StaleSession?
  /// Header lines that tell the target who the user is.
  final var identityLines: [UInt8] = []
  /// Header lines of the answer that bring a session which was refreshed.
  final var sessionLines: [UInt8] = []

  /// The client's connection, as logs tell of it.
  var facts: ConnectionFacts { preconditionFailure("abstract") }

  /// The client's port.
  var sourcePort: UInt16 { preconditionFailure("abstract") }

  /// The client's protocol, as logs name it.
  var protocolName: StaticString { "HTTP/1.1" }

  // MARK: - The client's side

  /// Whether the client took all of the answer so far; while it has not, its target is not read.
  var takesAnswer: Bool { preconditionFailure("abstract") }

  /// The connection that takes an answer's bytes as they come from the target; nil when they are framed anew.
  var answersTo: Connection? { nil }

  /// Something moved: begins the idle time anew.
  func touch() { preconditionFailure("abstract") }

  /// Notes of the request in `loop.requestHead` what depends on the client's protocol.
  func noteProtocol() { preconditionFailure("abstract") }

  /// Whether the client's protocol can be spoken with the group's targets.
  func suits(_ group: TargetGroupRuntime) -> Bool { group.protocolVersion == .http1 }

  /// The client makes a gRPC call.
  var isGRPC: Bool { false }

  /// Whether `begin` may answer that it waits for more of the body and is called again with it.
  var canHoldBody: Bool { false }

  /// What has come of the body, for protocols that do not put it behind the head, and whether that is all.
  var bodyAtHand: (bytes: UnsafeBufferPointer<UInt8>, isAll: Bool)? { nil }

  /// The request goes to a target now.
  func willDispatch() {}

  /// The target takes more of the request's body.
  func resumeBody() { preconditionFailure("abstract") }

  /// As `resumeBody`, after the events of this batch.
  func resumeBodyLater() { preconditionFailure("abstract") }

  /// Passes an interim answer (1xx) on; false when the client is gone.
  func sendInterim(_ bytes: UnsafePointer<UInt8>, _ length: Int) -> Bool { preconditionFailure("abstract") }

  /// Makes the answer's head from the one in `loop.responseHead`, to be sent by `sendFirst`.
  func buildAnswer(_ bytes: UnsafePointer<UInt8>, _ headLength: Int, _ framing: BodyFraming) {
    preconditionFailure("abstract")
  }

  /// Sends the head that was built and the first of the body (perhaps nothing); false when the client is gone.
  func sendFirst(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) -> Bool { preconditionFailure("abstract") }

  /// Sends more of the body; false when the client is gone.
  func sendBody(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool) -> Bool { preconditionFailure("abstract") }

  /// Sends what came behind the body, given as a head in `loop.responseHead`; clients that know no trailers get none.
  func sendTrailers(_ bytes: UnsafePointer<UInt8>) {}

  /// The answer is complete; the target's connection has been given back.
  func finish() { preconditionFailure("abstract") }

  /// The answer has begun and cannot be completed.
  func breakOff() { preconditionFailure("abstract") }

  /// Sending to the client failed.
  func clientFailed() { preconditionFailure("abstract") }

  /// Sends an answer of the load balancer's own. Closing: what comes of the request's body is not wanted.
  func answer(_ local: LocalAnswer, closing: Bool) { preconditionFailure("abstract") }

  /// Passes the answer 101 on and becomes one end of a tunnel; false when the client cannot.
  func becomeTunnel(with upstream: UpstreamConnection, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool { false }

  // MARK: - The target's side

  /// Takes the request away from its target, for which the answer is no longer wanted.
  final func abandonUpstream() {
    if let signInWait {
      loop.pendingSignIns[signInWait.id] = nil
      self.signInWait = nil
    }
    guard let upstream else { return }
    self.upstream = nil
    upstream.abandon()
  }

  /// The answer cannot be completed: 502 while the client has seen nothing of it.
  final func answerBroken() {
    if request.hasAnswered { return breakOff() }
    answer(LocalAnswer(status: 502), closing: !request.body.isDone)
  }

  /// The target's side is done with a final head: what is known of it before it is sent.
  final func noteAnswer() {
    request.hasAnswered = true
    request.status = loop.responseHead.status
    outgoing.clear()
  }
}

/// A request's way to its target: an HTTP/1.1 connection, or a stream of an HTTP/2 connection.
protocol TargetLink: AnyObject {
  /// Whether more of the request's body can be given now.
  var takesBody: Bool { get }
  /// The protocol tells the end of a body itself: it wants data without chunks around it.
  var framesBodies: Bool { get }
  /// Whether all that was given has been sent.
  var hasSentAll: Bool { get }
  /// Keeps what is to be sent behind the body: header lines, as a head whose first line says nothing.
  func holdTrailers(_ bytes: UnsafePointer<UInt8>, _ count: Int)
  /// Sends more of the request's body, framed as the target's protocol wants it.
  func sendBody(_ bytes: UnsafePointer<UInt8>, _ count: Int, isEnd: Bool)
  /// The client takes more of the answer.
  func resumeReading()
  /// The client is gone, or its answer is another: the exchange no longer belongs to this.
  func abandon()
}
