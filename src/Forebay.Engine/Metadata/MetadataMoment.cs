namespace Forebay.Engine.Metadata;

/// <summary>
/// The moment a question was sent to the under-store. Whatever the answer says was true then, not when it arrived: expiry counts from
/// here, and an answer never replaces one to a later question.
/// </summary>
/// <param name="Sequence">Orders questions and refreshes of one cache, also where the clock does not advance between them.</param>
/// <param name="Timestamp">By <see cref="TimeProvider.GetTimestamp"/>.</param>
internal readonly record struct MetadataMoment(long Sequence, long Timestamp);
