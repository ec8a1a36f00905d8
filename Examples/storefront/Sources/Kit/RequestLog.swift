// The outermost middleware: names the trace, turns errors into answers, and logs one line for each request.
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import ServiceLifecycle

/// The context of a request in both programs.
public struct ShopContext: RequestContext {
  /// See `RequestContext`.
  public var coreContext: CoreRequestContextStorage
  /// The trace the request belongs to.
  public var trace = Trace(of: [:], at: .distantPast)

  /// See `RequestContext`.
  public init(source: ApplicationRequestContextSource) {
    coreContext = .init(source: source)
  }

  /// Forms and API bodies are small.
  public var maxUploadSize: Int { 64 * 1024 }
}

/// Logs requests as JSON lines: time, method, path, status, ms, task, trace.
///
/// Successful health checks are left out: two load balancers ask every few seconds and would fill the log.
public struct RequestLog: RouterMiddleware {
  /// See `RouterMiddleware`.
  public typealias Context = ShopContext

  private let task: String
  private let output: LogOutput
  private let taskField: HTTPField.Name
  private let answer: @Sendable (any Error, Request, ShopContext) -> Response

  /// - Parameters:
  ///   - task: the name of this task, put into every line and, as `taskField`, into every answer
  ///   - answer: makes the answer of a request that failed
  public init(
    task: String, taskField: HTTPField.Name, output: LogOutput,
    answer: @escaping @Sendable (any Error, Request, ShopContext) -> Response
  ) {
    self.task = task
    self.taskField = taskField
    self.output = output
    self.answer = answer
  }

  /// See `RouterMiddleware`.
  public func handle(
    _ request: Request, context: ShopContext, next: (Request, ShopContext) async throws -> Response
  ) async throws -> Response {
    let start = ContinuousClock.now
    let time = Date()
    var context = context
    context.trace = Trace(of: request.headers, at: time)
    var failure: (any Error)?
    var response: Response
    do {
      response = try await next(request, context)
    } catch {
      failure = error
      response = answer(error, request, context)
    }
    response.headers[taskField] = task
    // The server closes its connections when it is told to stop; saying so lets a proxy not use this one again.
    if Task.isShuttingDownGracefully { response.headers[.connection] = "close" }

    if request.uri.path != "/healthz" || response.status.code >= 400 {
      var line = LogLine(at: time)
      line.add("method", request.method.rawValue)
      line.add("path", request.uri.path)
      line.add("status", response.status.code)
      line.add("ms", milliseconds: ContinuousClock.now - start)
      line.add("task", task)
      line.add("trace", context.trace.id)
      if response.status.code >= 500, let failure { line.add("error", String(describing: failure)) }
      output.write(line)
    }
    return response
  }
}
