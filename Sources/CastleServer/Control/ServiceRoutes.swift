// The application's services, as the command handles them: scale, restart, logs.

import AWSCore
import CloudWatchLogsModel
import ECSModel
import Edge
import Foundation
import ServiceKit

extension Castle {
  /// A service of any cluster, found by its name or the name that castle.yaml gives it.
  private func findService(_ name: String, _ call: CallContext) async throws -> ECS.Service {
    var names: [String] = []
    for cluster in try await call.invoke(ECS.listClusters, .init()).clusterArns ?? [] {
      let arns = try await call.invoke(ECS.listServices, .make { $0.cluster = cluster }).serviceArns ?? []
      guard !arns.isEmpty else { continue }
      let services =
        try await call.invoke(
          ECS.describeServices,
          .make {
            $0.cluster = cluster
            $0.services = arns
            $0.include = ["TAGS"]
          }
        ).services ?? []
      for service in services {
        let own = service.serviceName ?? ""
        let given = service.tags?.first { $0.key == "castle:service" }?.value
        names.append(given ?? own)
        if own == name || given == name { return service }
      }
    }
    let known = names.isEmpty ? "no service runs" : "the services are \(names.sorted().joined(separator: ", "))"
    throw AWSError("ServiceNotFoundException", "There is no service \(name); \(known).", status: 404)
  }

  /// `POST /scale?service=backend&count=3`.
  func scale(_ request: ControlRequest) async throws -> ControlResponse {
    guard let count = request.query["count"].flatMap({ Int($0) }), (0...1000).contains(count) else {
      throw AWSError.validation("count is a number from 0 to 1000")
    }
    let call = ownerCall()
    let service = try await findService(request.query["service"] ?? "", call)
    _ = try await call.invoke(
      ECS.updateService,
      .make {
        $0.cluster = service.clusterArn
        $0.service = service.serviceName ?? ""
        $0.desiredCount = count
      })
    return .json(["service": .string(service.serviceName ?? ""), "desired": .integer(count)])
  }

  /// `POST /restart?service=backend`: every task is replaced, a few at a time, as a new deployment.
  func restartService(_ request: ControlRequest) async throws -> ControlResponse {
    let call = ownerCall()
    let service = try await findService(request.query["service"] ?? "", call)
    _ = try await call.invoke(
      ECS.updateService,
      .make {
        $0.cluster = service.clusterArn
        $0.service = service.serviceName ?? ""
        $0.forceNewDeployment = true
      })
    return .json(["service": .string(service.serviceName ?? ""), "desired": .integer(service.desiredCount ?? 0)])
  }

  /// `GET /logs?service=backend&follow=true&lines=100`: JSON lines of time, stream and message.
  func logs(_ request: ControlRequest) async throws -> ControlResponse {
    let call = ownerCall()
    var groups: [String] = []
    if let name = request.query["service"], !name.isEmpty {
      let service = try await findService(name, call)
      groups = try await logGroups(of: service.taskDefinition ?? "", call)
      if groups.isEmpty {
        throw AWSError("ResourceNotFoundException", "The service \(name) sends its log nowhere.", status: 404)
      }
    } else {
      groups = (try await call.invoke(CloudWatchLogs.describeLogGroups, .init()).logGroups ?? []).compactMap(
        \.logGroupName)
    }
    let lines = request.query["lines"].flatMap { Int($0) } ?? 100
    let follow = request.query["follow"] == "true"
    let clock = environment.clock
    let chosen = groups
    return ControlResponse(
      contentType: "application/x-ndjson",
      stream: { write in
        var since: [String: Int] = [:]
        var seen: Set<String> = []
        let start = Int(clock.now.adding(seconds: -3600).milliseconds)
        repeat {
          var page: [(Int, JSONValue)] = []
          for group in chosen {
            let events =
              try await call.invoke(
                CloudWatchLogs.filterLogEvents,
                .make {
                  $0.logGroupName = group
                  $0.startTime = since[group] ?? start
                }
              ).events ?? []
            for event in events {
              let time = event.timestamp ?? 0
              let id = "\(group)/\(event.logStreamName ?? "")/\(event.eventId ?? "\(time)\(event.message ?? "")")"
              guard seen.insert(id).inserted else { continue }
              // A second's overlap: events of one millisecond may come in two reads.
              since[group] = max(since[group] ?? 0, time - 1000)
              page.append(
                (
                  time,
                  [
                    "time": .integer(time), "group": .string(group), "stream": .string(event.logStreamName ?? ""),
                    "message": .string(event.message ?? ""),
                  ]
                ))
            }
          }
          page.sort { $0.0 < $1.0 }
          for (_, line) in page.suffix(follow && !since.isEmpty ? page.count : lines) {
            try await write(Array((line.description + "\n").utf8))
          }
          if follow { try await clock.sleep(seconds: 0.5) }
        } while follow
      })
  }

  private func logGroups(of taskDefinition: String, _ call: CallContext) async throws -> [String] {
    let definition = try await call.invoke(
      ECS.describeTaskDefinition, .make { $0.taskDefinition = taskDefinition }
    ).taskDefinition
    let groups = (definition?.containerDefinitions ?? []).compactMap { $0.logConfiguration?.options?["awslogs-group"] }
    return Array(Set(groups)).sorted()
  }
}
