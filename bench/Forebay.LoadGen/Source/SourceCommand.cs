using System.Net;
using System.Net.Sockets;

namespace Forebay.LoadGen.Source;

/// <summary>Options of the generated source.</summary>
internal sealed record SourceOptions(string Bucket, ObjectSet Objects, TimeSpan Latency, double ConnectionRate, Link Link);

/// <summary>Serves generated objects: one blocking thread per connection, which is the cheapest way to pace a few hundred of them.</summary>
internal static class SourceCommand
{
    private const int MaxConnections = 2048;
    private const int StackBytes = 256 << 10;

    public static int Run(Arguments arguments)
    {
        IPEndPoint endPoint = arguments.EndPoint("listen", "127.0.0.1:7070");
        double linkRate = arguments.Decimal("link-rate", 0);
        SourceOptions options = new(
            arguments.Text("bucket", "data"),
            new ObjectSet(arguments.All("objects").Select(ObjectGroup.Parse)),
            TimeSpan.FromMilliseconds(arguments.Decimal("latency-ms", 0)),
            arguments.Decimal("connection-rate", 0),
            new Link(linkRate));
        arguments.RefuseUnused();

        using Socket listener = new(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(endPoint);
        listener.Listen(1024);
        SourceStatistics statistics = new();
        using SemaphoreSlim places = new(MaxConnections);
        Console.WriteLine($"listening on {listener.LocalEndPoint}");
        while (true)
        {
            places.Wait();
            Socket client = listener.Accept();
            client.NoDelay = true;
            new Thread(() => Serve(client), StackBytes) { IsBackground = true }.Start();
        }

        void Serve(Socket client)
        {
            try
            {
                using (client)
                {
                    new SourceConnection(client, options, statistics).Run();
                }
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // The client went away; the next one is not concerned.
            }
            finally
            {
                places.Release();
            }
        }
    }
}

/// <summary>What the source has been asked for, since start or the last reset.</summary>
internal sealed class SourceStatistics
{
    private long _requests;
    private long _bytes;
    private long _gets;
    private long _heads;
    private long _lists;

    public void Request() => Interlocked.Increment(ref _requests);

    public void Get() => Interlocked.Increment(ref _gets);

    public void Head() => Interlocked.Increment(ref _heads);

    public void List() => Interlocked.Increment(ref _lists);

    public void Bytes(long count) => Interlocked.Add(ref _bytes, count);

    public void Reset()
    {
        _requests = _bytes = _gets = _heads = _lists = 0;
    }

    public string ToJson()
        => $$"""{"requests":{{_requests}},"bytes":{{_bytes}},"gets":{{_gets}},"heads":{{_heads}},"lists":{{_lists}}}""" + "\n";
}
