using Forebay.Caching.Eviction;

namespace Forebay.HitRate;

/// <summary>Hits of one policy in one window of one trace.</summary>
/// <param name="Workload">Name of the trace.</param>
/// <param name="CacheShare">Capacity over the distinct bytes, 0..1.</param>
/// <param name="Policy">Name of the policy.</param>
/// <param name="Window">Part of the trace.</param>
/// <param name="HitRatio">Hits over requests, 0..1.</param>
/// <param name="ByteHitRatio">Hit bytes over requested bytes, 0..1.</param>
/// <param name="ReusableHitRatio">Hits over requests, one-pass scans left out, 0..1.</param>
internal sealed record Result(
    string Workload, double CacheShare, string Policy, string Window, double HitRatio, double ByteHitRatio, double ReusableHitRatio);

/// <summary>Replays traces; a miss evicts until the object fits and then adds it.</summary>
internal static class Simulation
{
    public static bool[] Replay(Trace trace, long capacityBytes, IEvictionPolicy policy)
    {
        bool[] hits = new bool[trace.Requests.Length];
        var nodes = new Node?[trace.Sizes.Length];
        for (int i = 0; i < hits.Length; i++)
        {
            int item = trace.Requests[i];
            if (nodes[item] is { } resident)
            {
                hits[i] = true;
                policy.Touch(resident);
                continue;
            }

            if (trace.Sizes[item] > capacityBytes)
            {
                continue;
            }

            while (policy.TotalBytes + trace.Sizes[item] > capacityBytes && policy.TryEvict(out EvictionNode? victim))
            {
                nodes[((Node)victim).Item] = null;
            }

            Node node = new(item, trace.Sizes[item]);
            nodes[item] = node;
            policy.Add(node);
        }

        return hits;
    }

    /// <summary>
    /// Belady's rule weighted by nothing: evict what is used again last, and do not admit what is used again later than all
    /// residents. With unequal sizes it is a strong reference, not a proven bound.
    /// </summary>
    public static bool[] ReplayBelady(Trace trace, long capacityBytes)
    {
        int[] next = new int[trace.Requests.Length];
        int[] lastSeen = new int[trace.Sizes.Length];
        Array.Fill(lastSeen, int.MaxValue);
        for (int i = next.Length - 1; i >= 0; i--)
        {
            next[i] = lastSeen[trace.Requests[i]];
            lastSeen[trace.Requests[i]] = i;
        }

        bool[] hits = new bool[next.Length];
        int[] due = new int[trace.Sizes.Length];
        bool[] resident = new bool[trace.Sizes.Length];
        PriorityQueue<(int Item, int Due), int> farthest = new();
        long bytes = 0;
        for (int i = 0; i < hits.Length; i++)
        {
            int item = trace.Requests[i];
            hits[i] = resident[item];
            if (!resident[item])
            {
                resident[item] = true;
                bytes += trace.Sizes[item];
            }

            due[item] = next[i];
            farthest.Enqueue((item, next[i]), -next[i]);
            while (bytes > capacityBytes)
            {
                (int candidate, int candidateDue) = farthest.Dequeue();
                if (resident[candidate] && due[candidate] == candidateDue)
                {
                    resident[candidate] = false;
                    bytes -= trace.Sizes[candidate];
                }
            }
        }

        return hits;
    }

    public static IEnumerable<Result> Measure(Trace trace, double share, string policy, bool[] hits)
    {
        foreach (Window window in trace.Windows)
        {
            long count = 0;
            long reusable = 0;
            long bytes = 0;
            long hitBytes = 0;
            for (int i = window.Start; i < window.End; i++)
            {
                int item = trace.Requests[i];
                reusable += item < trace.FirstScanObject ? 1 : 0;
                bytes += trace.Sizes[item];
                if (hits[i])
                {
                    count++;
                    hitBytes += trace.Sizes[item];
                }
            }

            yield return new Result(
                trace.Name, share, policy, window.Name,
                (double)count / (window.End - window.Start), (double)hitBytes / bytes, (double)count / reusable);
        }
    }

    private sealed class Node(int item, long sizeBytes) : EvictionNode(Hash(item), sizeBytes)
    {
        public int Item => item;

        // SplitMix64's finaliser, a uniform hash of small integers.
        private static ulong Hash(int item)
        {
            ulong x = (ulong)item + 0x9E3779B97F4A7C15UL;
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
            return x ^ (x >> 31);
        }
    }
}
