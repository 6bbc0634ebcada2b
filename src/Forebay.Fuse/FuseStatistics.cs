using System.Diagnostics;
using System.Numerics;

namespace Forebay.Fuse;

/// <summary>Counts and times of requests by operation. Thread-safe; a snapshot may be a few requests apart in its parts.</summary>
public sealed class FuseStatistics
{
    /// <summary>Buckets of a histogram: bucket 0 is below 1 µs, bucket i is [2^(i−1), 2^i) µs, the last is everything longer.</summary>
    public const int BucketCount = 26;

    private const int Slots = 64;
    private const int PerSlot = 4 + BucketCount;
    private readonly long[] _figures = new long[Slots * PerSlot];

    /// <summary>Figures of one operation.</summary>
    /// <param name="opcode">The operation.</param>
    /// <returns>Zeros when none was seen.</returns>
    public FuseOperationStatistics this[FuseOpcode opcode]
    {
        get
        {
            int at = SlotOf(opcode);
            long[] buckets = new long[BucketCount];
            for (int i = 0; i < BucketCount; i++)
            {
                buckets[i] = Volatile.Read(ref _figures[at + 4 + i]);
            }

            return new FuseOperationStatistics(
                Volatile.Read(ref _figures[at]),
                Volatile.Read(ref _figures[at + 1]),
                Volatile.Read(ref _figures[at + 2]),
                Stopwatch.GetElapsedTime(0, Volatile.Read(ref _figures[at + 3])),
                buckets);
        }
    }

    internal void Count(FuseOpcode opcode, int errno, int bytes, long elapsed)
    {
        int at = SlotOf(opcode);
        Interlocked.Increment(ref _figures[at]);
        if (errno != 0)
        {
            Interlocked.Increment(ref _figures[at + 1]);
        }

        Interlocked.Add(ref _figures[at + 2], bytes);
        Interlocked.Add(ref _figures[at + 3], elapsed);
        ulong microseconds = (ulong)Math.Max(0, elapsed) / (ulong)(Stopwatch.Frequency / 1_000_000);
        int bucket = Math.Min(64 - BitOperations.LeadingZeroCount(microseconds), BucketCount - 1);
        Interlocked.Increment(ref _figures[at + 4 + bucket]);
    }

    /// <summary>Unknown opcodes share slot 0.</summary>
    private static int SlotOf(FuseOpcode opcode) => (uint)opcode < Slots ? (int)opcode * PerSlot : 0;
}

/// <summary>Figures of one operation since the session started.</summary>
/// <param name="Count">Requests answered (or taken note of, where there is no answer).</param>
/// <param name="Errors">Answers that were an errno.</param>
/// <param name="ReplyBytes">Bytes of the answers without headers.</param>
/// <param name="Elapsed">Sum of the times from read to answer.</param>
/// <param name="Buckets">Histogram of these times, see <see cref="FuseStatistics.BucketCount"/>.</param>
public sealed record FuseOperationStatistics(long Count, long Errors, long ReplyBytes, TimeSpan Elapsed, IReadOnlyList<long> Buckets);
