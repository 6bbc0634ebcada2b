using System.Globalization;

namespace Forebay.LoadGen.Source;

/// <summary>
/// A run of generated objects of one size. Keys are computed, never stored: a million of them cost nothing.
/// <list type="bullet">
/// <item><c>KEY:1:SIZE</c> is one object;</item>
/// <item><c>small/%06d:100000:102400</c> puts a zero-padded number at the <c>%0Nd</c>;</item>
/// <item><c>tree:1000000:1024</c> makes a tree of directories, keys of 48 bytes on average.</item>
/// </list>
/// </summary>
internal sealed class ObjectGroup
{
    private const string TreeName = "tree";

    private readonly string _before;
    private readonly string _after;
    private readonly int _width;
    private readonly bool _tree;

    private ObjectGroup(string pattern, long count, long size)
    {
        Count = count;
        Size = size;
        _tree = pattern == TreeName;
        int percent = pattern.IndexOf('%', StringComparison.Ordinal);
        int end = percent < 0 ? -1 : pattern.IndexOf('d', percent);
        _before = percent < 0 ? pattern : pattern[..percent];
        _after = percent < 0 ? "" : pattern[(end + 1)..];
        _width = percent < 0 ? 0 : int.Parse(pattern.AsSpan(percent + 2, end - percent - 2), NumberStyles.None, CultureInfo.InvariantCulture);
    }

    public long Count { get; }

    public long Size { get; }

    public static ObjectGroup Parse(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length != 3 || !long.TryParse(parts[1], out long count) || !long.TryParse(parts[2], out long size) || count < 1 || size < 0)
        {
            throw new UsageException($"--objects takes PATTERN:COUNT:SIZE, not '{text}'.");
        }

        if (count > 1 && parts[0] != TreeName && !parts[0].Contains("%0", StringComparison.Ordinal))
        {
            throw new UsageException($"'{parts[0]}' needs a %0Nd where the number goes, as it stands for {count} objects.");
        }

        return new ObjectGroup(parts[0], count, size);
    }

    public string KeyAt(long index)
    {
        if (_tree)
        {
            // Padding of 0 to 6 letters by index varies the length as real names do, and cannot change the order.
            string padding = "abcdef"[..(int)(index % 7)];
            return string.Create(CultureInfo.InvariantCulture, $"dataset/part-{index / 10_000:D4}/d{index / 100 % 100:D2}/sample-{index:D10}-{padding}.jpeg");
        }

        return _width == 0 ? _before : _before + index.ToString("D" + _width, CultureInfo.InvariantCulture) + _after;
    }

    /// <summary>Index of the first key that is not less than <paramref name="key"/>; <see cref="Count"/> when all are less.</summary>
    public long LowerBound(string key)
    {
        long low = 0;
        long high = Count;
        while (low < high)
        {
            long middle = low + ((high - low) / 2);
            if (string.CompareOrdinal(KeyAt(middle), key) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
