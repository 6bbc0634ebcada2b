using Forebay.Engine.Metadata;

namespace Forebay.MetadataBench;

/// <summary>Counts names and their bytes.</summary>
internal struct CountingSink : IListSink
{
    public int Count;
    public long Bytes;

    public void OnObject(scoped ref PackedCursor cursor)
    {
        Count++;
        Bytes += cursor.Name.Length;
    }

    public void OnPrefix(scoped ref PackedCursor cursor, ReadOnlySpan<byte> name) => Count++;
}
