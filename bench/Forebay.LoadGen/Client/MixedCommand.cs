using System.Diagnostics;
using System.Net.Sockets;

namespace Forebay.LoadGen.Client;

/// <summary>
/// The load of the memory figure: many connections, each picking at random a tiny object whole (70 %), a 1 MiB range of a huge one
/// (20 %), 64 MiB of it (7 %), or a read that goes away in the middle (3 %). Every byte is checked.
/// </summary>
internal static class MixedCommand
{
    private const int RangeBytes = 1 << 20;
    private const int LongRangeBytes = 64 << 20;

    public static int Run(Arguments arguments)
    {
        Target target = new(arguments);
        string hugeKey = arguments.Required("huge-key");
        long hugeBytes = arguments.Number("huge-bytes", 1 << 30);
        int connections = (int)arguments.Number("connections", 500);
        double seconds = arguments.Decimal("seconds", 60);
        arguments.RefuseUnused();

        ulong hugeHash = GeneratedBytes.Hash(hugeKey);
        long deadline = Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency);
        long aborts = 0;
        (LoadResult sum, TimeSpan elapsed) = Workers.Run(connections, Work);
        return sum.Print(elapsed, [new("clientAborts", aborts)]);

        void Work(int worker, LoadResult result)
        {
            Random random = new(worker);
            using RawConnection connection = new(target.EndPoint, bufferBytes: 64 << 10);
            while (Stopwatch.GetTimestamp() < deadline)
            {
                int dice = random.Next(100);
                bool tiny = dice < 70;
                string key = tiny ? target.KeyAt(random.NextInt64(target.Count)) : hugeKey;
                ulong hash = tiny ? GeneratedBytes.Hash(key) : hugeHash;
                long length = dice < 90 ? RangeBytes : LongRangeBytes;
                long offset = tiny ? 0 : random.NextInt64(Math.Max(1, hugeBytes - length));
                long stopAt = dice >= 97 ? random.NextInt64(length) : long.MaxValue;
                long start = Stopwatch.GetTimestamp();
                try
                {
                    Response response = connection.Exchange(target.Get(key, tiny ? null : $"{offset}-{offset + length - 1}"), Check);
                    if (response.Status is 200 or 206)
                    {
                        result.Add(start, response);
                    }
                    else
                    {
                        result.Fail($"status {response.Status}");
                    }
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    result.Fail(e.Message);
                }

                bool Check(long at, ReadOnlySpan<byte> bytes)
                {
                    if (!GeneratedBytes.Matches(hash, offset + at, bytes))
                    {
                        result.WrongBytes += bytes.Length;
                    }

                    if (at + bytes.Length < stopAt)
                    {
                        return true;
                    }

                    Interlocked.Increment(ref aborts);
                    return false;
                }
            }
        }
    }
}
