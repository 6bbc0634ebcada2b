using Forebay.Core;
using Forebay.Engine.Status;

namespace Forebay.Cli.Measuring;

/// <summary>A bucket of an endpoint and the client that reads it.</summary>
internal sealed record SignedReader(SignedS3Client Client, string Bucket);

/// <summary>
/// Readings of the same objects, straight from a source and through a node's endpoint. Every byte is compared with its checksum; what a
/// node did meanwhile is taken from its own counters.
/// </summary>
/// <param name="reader">Reads through the endpoint.</param>
/// <param name="status">The figures of the mount point.</param>
/// <param name="time">Clock.</param>
/// <param name="stop">Ends a reading.</param>
internal sealed class NodeReadings(SignedReader reader, Func<ValueTask<MountPointStatus>> status, TimeProvider time, CancellationToken stop)
{
    private readonly List<Reading> _rows = [];

    /// <summary>What was measured so far.</summary>
    public IReadOnlyList<Reading> Rows => _rows;

    /// <summary>Reads whole objects from the source without the node; gives what came for each.</summary>
    public async Task<IReadOnlyList<MeasuredObject>> DirectAsync(string operation, IUnderStore source, string keyPrefix, IReadOnlyList<MeasuredObject> objects, int readers)
    {
        MeasuredObject[] received = new MeasuredObject[objects.Count];
        TimeSpan elapsed = await ForAllAsync(objects.Count, readers, async (i, cancellationToken) =>
        {
            MeasuredObject wanted = objects[i];
            await using UnderStoreRead read = await source.ReadAsync(keyPrefix + wanted.Key, new ByteRange(0, wanted.Length), expected: null, requestId: null, cancellationToken);
            byte[] buffer = new byte[256 << 10];
            long length = 0;
            uint checksum = 0;
            for (int count; (count = await read.ReadAsync(buffer, cancellationToken)) > 0; length += count)
            {
                checksum = Crc32C.Append(checksum, buffer.AsSpan(0, count));
            }

            received[i] = new MeasuredObject(wanted.Key, length, checksum);
        });
        long bytes = received.Sum(one => one.Length);
        _rows.Add(new Reading(operation, elapsed, bytes, HitRatio: null, bytes));
        return received;
    }

    /// <summary>Reads whole objects through the endpoint and compares them.</summary>
    /// <exception cref="ForebayException"><see cref="ErrorKind.Corrupt"/>: other bytes came than were expected.</exception>
    public async Task ThroughAsync(string operation, IReadOnlyList<MeasuredObject> objects, int readers)
    {
        IReadOnlyList<MeasuredObject> received = await FirstAsync(operation, objects, readers);
        for (int i = 0; i < objects.Count; i++)
        {
            if (received[i] != objects[i])
            {
                throw new ForebayException(ErrorKind.Corrupt, $"/{reader.Bucket}/{objects[i].Key} came with other bytes than its source has.");
            }
        }
    }

    /// <summary>Reads whole objects through the endpoint whose checksums are not known yet; gives what came for each.</summary>
    public async Task<IReadOnlyList<MeasuredObject>> FirstAsync(string operation, IReadOnlyList<MeasuredObject> objects, int readers)
    {
        MountPointStatus before = await status();
        MeasuredObject[] received = new MeasuredObject[objects.Count];
        TimeSpan elapsed = await ForAllAsync(objects.Count, readers, async (i, cancellationToken) =>
        {
            ReceivedObject one = await reader.Client.GetAsync(reader.Bucket, objects[i].Key, cancellationToken);
            received[i] = new MeasuredObject(objects[i].Key, one.Length, one.Checksum);
        });
        MountPointStatus after = await status();
        long hits = after.HitBytes - before.HitBytes;
        long all = hits + after.MissBytes - before.MissBytes;
        double ratio = all == 0 ? 0 : (double)hits / all;
        _rows.Add(new Reading(operation, elapsed, received.Sum(one => one.Length), ratio, after.UnderStoreBytesRead - before.UnderStoreBytesRead));
        return received;
    }

    /// <summary>Prints all readings.</summary>
    public void Write(OutputFormat format, TextWriter output)
    {
        if (format == OutputFormat.Json)
        {
            ReadingTable.WriteJson(output, _rows);
            return;
        }

        ReadingTable.Write(output, _rows);
    }

    private async Task<TimeSpan> ForAllAsync(int count, int readers, Func<int, CancellationToken, Task> read)
    {
        long started = time.GetTimestamp();
        ParallelOptions options = new() { MaxDegreeOfParallelism = readers, CancellationToken = stop };
        await Parallel.ForAsync(0, count, options, async (i, cancellationToken) => await read(i, cancellationToken));
        return time.GetElapsedTime(started);
    }
}
