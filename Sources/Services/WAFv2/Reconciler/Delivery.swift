// Log lines to CloudWatch Logs or S3, as AWS WAF delivers them.

import AWSCore
import AWSWire
import CloudWatchLogsModel
import Compression
import Dispatch
import GateProtocol
import S3Model
import ServiceKit
import Store
import WAFv2Model
import WebACL

extension WAFv2Service {
  // MARK: - Logs

  func deliver(_ records: WebACLRecords) {
    let lost = Int(records.lostLines) + feed.add(records.lines)
    if lost > 0 { environment.logger.warning("WAF log lines were lost", metadata: ["count": "\(lost)"]) }
  }

  /// Sends what waits; lines whose destination does not take them are lost, which is told.
  func flushLines() async {
    for (webACL, lines) in feed.takeLines() {
      do {
        try await send(lines, of: webACL)
      } catch {
        environment.logger.warning(
          "WAF log lines could not be delivered",
          metadata: ["webACL": "\(webACL)", "count": "\(lines.count)", "error": "\(error)"])
      }
    }
  }

  private func send(_ lines: [WebACLRecords.Line], of webACL: String) async throws {
    guard let parsed = ARN(webACL) else { return }
    let scope = Scope(account: parsed.account, region: parsed.region)
    guard let record = try await store.get(LoggingRecord.self, scope, webACL),
      let arn = Self.answer(record).logDestinationConfigs.first
    else { return }
    let call = environment.call(as: Self.servicePrincipal, account: parsed.account, region: parsed.region)
    let name = webACL.split(separator: "/").dropLast().last.map(String.init) ?? "webacl"
    switch try LogDestination(arn) {
    case .logGroup(let group): try await put(lines, group, "\(parsed.region)_\(name)_0", call)
    case .bucket(let bucket, let prefix):
      let key = Self.key(prefix, parsed, name, environment.clock.now, call.ids.hex(8))
      let body = RequestBody(try await Self.compressed(lines))
      let input = S3.PutObjectRequest.make {
        $0.bucket = bucket
        $0.key = key
      }
      _ = try await environment.invoker.invokeStreaming(S3.putObject, input, body, call)
    }
  }

  /// Puts lines together and compresses them on a thread that may block.
  private static func compressed(_ lines: [WebACLRecords.Line]) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { caller in
      DispatchQueue.global().async {
        let text = lines.map(\.text).joined(separator: "\n") + "\n"
        caller.resume(with: Result { try Gzip.compressed(Array(text.utf8)) })
      }
    }
  }

  private func put(_ lines: [WebACLRecords.Line], _ group: String, _ stream: String, _ call: CallContext) async throws {
    // A batch takes 10,000 events and a megabyte.
    var rest = lines[...]
    while !rest.isEmpty {
      var size = 0
      let batch = rest.prefix(while: { line in
        size += line.text.utf8.count + 26
        return size < 1_000_000
      }).prefix(10_000)
      let chosen = batch.isEmpty ? rest.prefix(1) : batch
      rest = rest.dropFirst(chosen.count)
      let input = CloudWatchLogs.PutLogEventsRequest.make {
        $0.logGroupName = group
        $0.logStreamName = stream
        $0.logEvents = chosen.map { line in
          .make {
            $0.timestamp = Int(line.time)
            $0.message = line.text
          }
        }
      }
      do {
        _ = try await call.invoke(CloudWatchLogs.putLogEvents, input)
      } catch let error as AWSError where error.code == "ResourceNotFoundException" {
        _ = try await call.invoke(
          CloudWatchLogs.createLogStream,
          .make {
            $0.logGroupName = group
            $0.logStreamName = stream
          })
        _ = try await call.invoke(CloudWatchLogs.putLogEvents, input)
      }
    }
  }

  /// `AWSLogs/ACCOUNT/WAFLogs/REGION/NAME/YYYY/MM/DD/HH/mm/…`, as AWS WAF names its objects.
  private static func key(_ prefix: String, _ arn: ARN, _ name: String, _ time: Timestamp, _ suffix: String) -> String {
    // 2026-01-02T03:04:05Z
    let text = Array(time.iso8601)
    func part(_ range: Range<Int>) -> String { String(text[range]) }
    let start = prefix.isEmpty ? "" : prefix + "/"
    let minute = Int(part(14..<16)).map { $0 / 5 * 5 } ?? 0
    let day = "\(part(0..<4))/\(part(5..<7))/\(part(8..<10))/\(part(11..<13))/\(minute < 10 ? "0" : "")\(minute)"
    let stamp = "\(part(0..<4))\(part(5..<7))\(part(8..<10))T\(part(11..<13))\(part(14..<16))Z"
    return "\(start)AWSLogs/\(arn.account)/WAFLogs/\(arn.region)/\(name)/\(day)/"
      + "\(arn.account)_waflogs_\(arn.region)_\(name)_\(stamp)_\(suffix).log.gz"
  }
}
