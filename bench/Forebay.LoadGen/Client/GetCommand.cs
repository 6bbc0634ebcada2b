using System.Diagnostics;
using System.Net.Sockets;

namespace Forebay.LoadGen.Client;

/// <summary>GET objects by several connections, for a time, a number of requests, or each object once.</summary>
internal static class GetCommand
{
    public static int Run(Arguments arguments)
    {
        Target target = new(arguments);
        int connections = (int)arguments.Number("connections", 1);
        double seconds = arguments.Decimal("seconds", 0);
        long total = arguments.Number("requests", seconds > 0 ? long.MaxValue : Math.Max(target.Count, connections));
        bool verify = arguments.Switch("verify");
        long first = arguments.Number("first", 0);
        int bufferBytes = (int)arguments.Number("buffer", 256 << 10);
        arguments.RefuseUnused();

        byte[][] requests = new byte[target.Count][];
        ulong[] hashes = new ulong[target.Count];
        for (int i = 0; i < requests.Length; i++)
        {
            string key = target.KeyAt(first + i);
            requests[i] = target.Get(key, target.Range);
            hashes[i] = GeneratedBytes.Hash(key);
        }

        long rangeStart = target.Range is null ? 0 : long.Parse(target.Range.Split('-')[0]);
        long next = -1;
        long deadline = seconds > 0 ? Stopwatch.GetTimestamp() + (long)(seconds * Stopwatch.Frequency) : long.MaxValue;
        (LoadResult sum, TimeSpan elapsed) = Workers.Run(connections, Work);
        return sum.Print(elapsed);

        void Work(int worker, LoadResult result)
        {
            using RawConnection connection = new(target.EndPoint, bufferBytes);
            long request;
            while ((request = Interlocked.Increment(ref next)) < total && Stopwatch.GetTimestamp() < deadline)
            {
                int index = (int)(request % requests.Length);
                long start = Stopwatch.GetTimestamp();
                try
                {
                    Response response = connection.Exchange(requests[index], verify ? Check : null);
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

                bool Check(long offset, ReadOnlySpan<byte> bytes)
                {
                    if (!GeneratedBytes.Matches(hashes[index], rangeStart + offset, bytes))
                    {
                        result.WrongBytes += bytes.Length;
                    }

                    return true;
                }
            }
        }
    }
}
