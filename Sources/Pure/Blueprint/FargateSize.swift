// The pairs of processor and memory that Fargate offers.

/// A task size.
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html (cpu, memory)
public struct FargateSize: Sendable, Hashable {
  /// In units of 1/1024 processor.
  public let cpuUnits: Int
  /// In MiB.
  public let memory: Int

  /// The smallest size with at least so much of both; nil when there is none.
  public init?(cpu: Double, megabytes: Int) {
    let offers: [(units: Int, memory: [Int])] = [
      (256, [512, 1024, 2048]),
      (512, Array(stride(from: 1024, through: 4096, by: 1024))),
      (1024, Array(stride(from: 2048, through: 8192, by: 1024))),
      (2048, Array(stride(from: 4096, through: 16384, by: 1024))),
      (4096, Array(stride(from: 8192, through: 30720, by: 1024))),
      (8192, Array(stride(from: 16384, through: 61440, by: 4096))),
      (16384, Array(stride(from: 32768, through: 122_880, by: 8192))),
    ]
    for offer in offers where Double(offer.units) >= cpu * 1024 {
      guard let memory = offer.memory.first(where: { $0 >= megabytes }) else { continue }
      cpuUnits = offer.units
      self.memory = memory
      return
    }
    return nil
  }
}
