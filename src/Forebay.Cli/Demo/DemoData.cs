using System.Globalization;
using Forebay.Cli.Measuring;
using Forebay.Core;

namespace Forebay.Cli.Demo;

/// <summary>A small data set as a training job would read it: one model, shards, and many small files.</summary>
internal sealed class DemoData
{
    /// <summary>Room it takes, cache included, with some to spare.</summary>
    public const long RoomBytes = 1L << 30;

    private const int ModelBytes = 96 << 20;
    private const int Shards = 64;
    private const int SmallFiles = 200;

    private DemoData(MeasuredObject model, IReadOnlyList<MeasuredObject> shards, IReadOnlyList<MeasuredObject> small)
    {
        Model = model;
        ShardFiles = shards;
        Small = small;
    }

    /// <summary>One large file.</summary>
    public MeasuredObject Model { get; }

    /// <summary>Files of 1 to 5 MiB.</summary>
    public IReadOnlyList<MeasuredObject> ShardFiles { get; }

    /// <summary>Files of 1 to 64 KiB.</summary>
    public IReadOnlyList<MeasuredObject> Small { get; }

    /// <summary>All files.</summary>
    public IEnumerable<MeasuredObject> All => [Model, .. ShardFiles, .. Small];

    /// <summary>Writes the data set; the same bytes every time.</summary>
    public static DemoData Write(string directory, CancellationToken cancellationToken)
    {
        Random random = new(20_260_101);
        byte[] buffer = new byte[ModelBytes];
        MeasuredObject model = WriteFile("model/weights.safetensors", ModelBytes);
        List<MeasuredObject> shards = [];
        for (int i = 0; i < Shards; i++)
        {
            shards.Add(WriteFile(string.Create(CultureInfo.InvariantCulture, $"train/shard-{i:00000}.tar"), random.Next(1 << 20, 5 << 20)));
        }

        List<MeasuredObject> small = [];
        for (int i = 0; i < SmallFiles; i++)
        {
            small.Add(WriteFile(string.Create(CultureInfo.InvariantCulture, $"labels/{i:0000}.json"), random.Next(1 << 10, 64 << 10)));
        }

        return new DemoData(model, shards, small);

        MeasuredObject WriteFile(string key, int length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Span<byte> bytes = buffer.AsSpan(0, length);
            random.NextBytes(bytes);
            string path = Path.Combine(directory, key);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            file.Write(bytes);
            return new MeasuredObject(key, length, Crc32C.Compute(bytes));
        }
    }
}
